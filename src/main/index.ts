export { type Config, type Environment, loadConfig } from './config.ts';
export { createGateway, type Gateway } from './gateway.ts';
export { initHome } from './init.ts';
export { type Door, openLocalDoor, openTcpDoor } from './listeners.ts';
export { processHost } from './process.ts';
