/**
 * How the operations console is built: one page, one script, one stylesheet, all under /console (src/http/routes/console.ts
 * serves them). Run by scripts/console-build.ts.
 */
import { defineConfig } from 'vite';

export default defineConfig({
  base: '/console/',
  build: {
    // Beside the page: the Worker serves no folders.
    assetsDir: '',
    // A browser that runs the timeline's `fetch` streams and `light-dark()` has all of these.
    target: 'es2023',
    cssMinify: true,
    modulePreload: false,
    // Its components come with directives that say where they run; everything here runs in a browser.
    rolldownOptions: {
      onLog(level, log, handle) {
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') handle(level, log);
      },
    },
  },
});
