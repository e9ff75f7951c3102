import { defineConfig } from 'vitest/config';

export default defineConfig({
  define: { TFMAGIC_VERSION: JSON.stringify('1.2.3') },
  test: { environment: 'jsdom', include: ['tests/**/*.test.ts'] }
});
