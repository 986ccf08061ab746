/** Run inside the server namespace: makes the interface that stdin asks for, with a key of its own; prints the public one. */
import { spawn } from 'node:child_process';
import { json } from 'node:stream/consumers';
import { generateKeyPair } from 'wireguard-tools-wrapper/keys';
import { findProgram } from 'wireguard-tools-wrapper/programs';
import { Wireguard } from 'wireguard-tools-wrapper/wireguard';
import { interfaceConfig } from 'wireguard-tools-wrapper/config';

const { privateKey, publicKey } = generateKeyPair();
const asked = await json(process.stdin);
const config = interfaceConfig.parse({ ...(asked as object), privateKey });
await new Wireguard({ spawn, findProgram }).up(config);
console.log(publicKey);
