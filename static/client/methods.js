// Made from webtransport/wire/methods.go by make generate. Do not edit.

/** Critical methods, whose requests go as datagrams too: somebody waits for them at the keyboard. The server acts once. */
export const RACES = new Set('agent.input agent.stop ask.answer task.cancel'.split(' '))

/** Methods that may be done twice without harm, so that they may be sent again at any age. */
export const REPEATABLE = new Set(
  'agent.list agent.get agent.options agent.sessions agent.pause agent.resume usage.list agent.changes agent.diff agent.stop ask.list ask.get types.list agent.events agent.search log.search fleet.at agent.render admission.get session.network artifact.get artifact.list artifact.read artifact.render task.get task.list task.cancel task.render schedule.list schedule.get schedule.pause schedule.resume schedule.preview memory.retrieve memory.list memory.search memory.history memory.namespaces memory.get_many memory.render'.split(' '),
)
