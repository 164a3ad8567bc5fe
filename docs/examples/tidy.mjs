#!/usr/bin/env node
// Indents JSON. One process per task.
import { text } from 'node:stream/consumers';

try {
  console.log(JSON.stringify(JSON.parse(await text(process.stdin)), null, 2));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1; // the task fails
}
