/**
 * Whether this process runs under a sanitizer, which is preloaded: everything is many times slower then and freed memory
 * is kept for a while, so that limits of time and memory say nothing.
 */
export const sanitized = /lib[atu]?san/.test(process.env.LD_PRELOAD ?? '');
