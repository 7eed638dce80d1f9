/** The component library says nothing of its stylesheet, which is imported for its effect alone. */
declare module '@cloudflare/kumo/styles/standalone';
