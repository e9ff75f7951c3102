import type { Kernel } from '@jupyterlab/services';
import { t } from '../core/text';

/** Loads tfmagic into one kernel: whether that is under way, and why it failed the last time. */
export class Loading {
  private underWay: Promise<string | null> | null = null;
  private failure: string | null = null;

  constructor(
    private readonly kernel: Kernel.IKernelConnection,
    private readonly changed: () => void
  ) {}

  get isUnderWay(): boolean {
    return this.underWay !== null;
  }

  /** What went wrong the last time, as a sentence. */
  get trouble(): string | null {
    return this.failure;
  }

  forget(): void {
    this.failure = null;
  }

  /** Run `%load_ext tfmagic` in the kernel, where a cell that runs comes first; return what went wrong, as a sentence. */
  async start(): Promise<string | null> {
    this.underWay ??= this.run();
    this.failure = null;
    this.changed();
    this.failure = await this.underWay;
    this.underWay = null;
    this.changed();
    return this.failure;
  }

  private async run(): Promise<string | null> {
    const content = await this.execute('%load_ext tfmagic').catch(() => null);
    switch (content?.status) {
      case 'ok':
        return null;
      case 'error':
        return t(
          '%load_ext tfmagic failed in this kernel: {why} (pip install "tfmagic[lab]" where the kernel runs)',
          { why: `${content.ename}: ${content.evalue}` }
        );
      case undefined:
        return t('The kernel ended before it had loaded tfmagic: load it again.');
      default:
        return t('The cell before it failed, and what waited was given up with it: load tfmagic again.');
    }
  }

  private async execute(code: string) {
    const { content } = await this.kernel.requestExecute({ code, store_history: false, allow_stdin: false })
      .done;
    return content;
  }
}
