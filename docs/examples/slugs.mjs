#!/usr/bin/env node
// Gives each title a slug that no other task has. Line protocol, several tasks at once.
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const pause = Number(process.env.PAUSE ?? 0) * 1000; // milliseconds per task, to simulate work
const CONFLICT = -32003;
const requests = new Map(); // by the id of the request: the functions that settle its promise
const tasks = new Map(); // by the id of the task: its AbortController

const send = message => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\n');
const tell = (method, params) => send({ method, params });

let last = 0;
function call(method, params) {
  const id = ++last;
  send({ id, method, params });
  return new Promise((resolve, reject) => requests.set(id, { resolve, reject }));
}

/** Claims a slug for a task. Of those that try, only one succeeds, because with if_revision 0 the entry must not exist. */
async function claim(slug, task) {
  try {
    await call('memory.store', { namespace: 'slugs', key: slug, value: { text: task }, if_revision: 0 });
    return true;
  } catch (error) {
    if (error.code !== CONFLICT) throw error;
    return error.data.entry?.value.text === task; // an earlier attempt of this task has it
  }
}

async function name(task, title, signal) {
  const base = title.toLowerCase().normalize('NFKD').replace(/\p{M}/gu, '').replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '') || 'untitled';
  tell('task.progress', { task, text: base, fraction: 0.5 });
  await sleep(pause, undefined, { signal });
  for (let i = 1; ; i++) {
    const slug = i === 1 ? base : `${base}-${i}`;
    if (await claim(slug, task)) return slug;
  }
}

async function run({ task, input }) {
  const controller = new AbortController();
  tasks.set(task, controller);
  try {
    tell('task.result', { task, output: await name(task, input, controller.signal) });
  } catch (error) {
    tell('task.error', { task, message: controller.signal.aborted ? 'canceled' : error.message });
  } finally {
    tasks.delete(task);
  }
}

setInterval(tell, 20_000, 'heartbeat', {}); // the type's heartbeat is a minute

for await (const line of createInterface({ input: process.stdin })) {
  if (!line.startsWith('{')) continue; // typed by a person
  const { id, method, params, result, error } = JSON.parse(line);
  if (method === 'task.run') run(params);
  else if (method === 'task.cancel') tasks.get(params.task)?.abort();
  else if (requests.has(id)) {
    const { resolve, reject } = requests.get(id);
    requests.delete(id);
    error ? reject(Object.assign(new Error(error.message), error)) : resolve(result);
  }
}
process.exit(); // Skein is gone, so stop the tasks that are still running
