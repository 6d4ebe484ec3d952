import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

/** The broker that `npm run dev` speaks to. */
const broker = 'https://127.0.0.1:8443';

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2022',
    // Nothing may be inlined: the policy of the server forbids data: URLs for scripts and styles, and inline elements.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      // zod writes notes about tree shaking that Rollup takes for misplaced annotations.
      onwarn: (warning, tell) => warning.code === 'INVALID_ANNOTATION' || tell(warning),
      output: {
        // Libraries change less often than our pages, so that a new release of ours leaves most of the cache valid.
        manualChunks: (id) => (/node_modules\/(react|react-dom|scheduler|react-router|react-router-dom|@remix-run)\//.test(id) ? 'react' : undefined),
      },
    },
  },
  server: {
    fs: { allow: ['..'] }, // documents.test.ts reads the schema beside the server
    proxy: Object.fromEntries(
      ['/graphql', '/api'].map((path) => [path, { target: broker, secure: false, ws: true, changeOrigin: true }]),
    ),
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
