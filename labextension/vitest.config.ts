import { defineConfig } from 'vitest/config';

export default defineConfig({
  define: { TFMAGIC_VERSION: JSON.stringify('1.2.3') },
  // The stock limit of 5 s is a clock that fails on a busy machine.
  test: { environment: 'jsdom', include: ['tests/**/*.test.ts'], testTimeout: 120_000 }
});
