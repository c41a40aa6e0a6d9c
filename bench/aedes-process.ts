import { createServer } from 'node:net'
import { Aedes } from 'aedes'

/** The broker library by itself, everything at its defaults. Tells its port and ends with its parent. */
const broker = await Aedes.createBroker()
const server = createServer(broker.handle)
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send!(typeof address === 'object' ? address?.port : 0)
})
process.on('disconnect', () => process.exit())
