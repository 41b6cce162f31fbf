/** Models over HTTP: `cortado serve`, for programs. */
export { createServer, type Server, type ServerOptions } from './server.js';
