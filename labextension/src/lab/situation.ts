import { t } from '../core/text';
import type { Follower } from './follower';
import type { Presence } from './connection';

export type Situation =
  | 'no-document'
  | 'no-kernel'
  | 'no-tensorflow'
  | 'importing'
  | 'other-version'
  | Exclude<Presence, 'there'>
  | 'there';

/** How it stands with the kernel that a view follows. */
export function situation({ session, connection }: Follower): Situation {
  if (session === null) return 'no-document';
  if (connection === null) return 'no-kernel';
  const { presence, store } = connection;
  if (presence === 'there' && store.problem !== null) return 'other-version';
  const versions = store.snapshot?.versions;
  if (presence === 'there' && versions?.tensorflow === null)
    return versions.importing ? 'importing' : 'no-tensorflow';
  return presence;
}

/** The same as a sentence for a person; empty where the figures speak for themselves. */
export function sentence(found: Situation): string {
  switch (found) {
    case 'no-document':
      return t('No notebook or console is in front: open one, and its kernel shows here.');
    case 'no-kernel':
      return t('This document has no kernel: start one, and it shows here.');
    case 'foreign':
      return t('This is not a Python kernel: tfmagic has nothing to show of it.');
    case 'asking':
      return t('Asking the kernel: it has not answered yet.');
    case 'absent':
      return t('tfmagic is not loaded in this kernel.');
    case 'no-tensorflow':
      return t('TensorFlow is not imported in this kernel yet; the first model brings it.');
    case 'importing':
      return t('TensorFlow is being imported, which takes some seconds.');
    case 'restarting':
      return t('The kernel restarts: its models are gone with it.');
    case 'lost':
      return t('The connection to the kernel is lost: these are its last figures.');
    case 'dead':
      return t('The kernel has ended: restart it from its notebook.');
    case 'other-version':
    case 'there':
      return '';
  }
}
