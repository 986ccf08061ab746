#!/usr/bin/env node
/** `npm run model:starter`: makes the starter model if it isn't there, and prints where it is. */
import { modelFolder } from '../src/models/folder.ts';
import { ensureStarter } from './ensure.ts';

console.log(await ensureStarter(modelFolder(process.env)));
