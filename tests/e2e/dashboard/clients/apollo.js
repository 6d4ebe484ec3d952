// Apollo Client: HTTP and WebSocket link, its normalised cache, errors as it reports them.
const { ApolloClient, InMemoryCache, HttpLink, gql, split } = require('@apollo/client/core')
const { GraphQLWsLink } = require('@apollo/client/link/subscriptions')
const { getMainDefinition } = require('@apollo/client/utilities')
const { createClient } = require('graphql-ws')
const WebSocket = require('ws')
const { fail } = require('./ask')

const uri = process.env.URL + '/graphql'
const socket = createClient({ url: uri.replace('https', 'wss'), webSocketImpl: WebSocket, connectionParams: { token: process.env.TOKEN }, retryAttempts: 0 })
const http = new HttpLink({ uri, fetch, headers: { authorization: 'Bearer ' + process.env.TOKEN } })
const live = operation => { const d = getMainDefinition(operation.query); return d.kind === 'OperationDefinition' && d.operation === 'subscription' }
const client = new ApolloClient({ link: split(live, new GraphQLWsLink(socket), http), cache: new InMemoryCache({ typePolicies: { Device: { keyFields: ['device_id'] } } }) })
const same = (a, b, what) => { if (JSON.stringify(a) !== JSON.stringify(b)) throw new Error(`${what}: ${JSON.stringify(a)}, not ${JSON.stringify(b)}`) }

async function main() {
  await client.mutate({ mutation: gql`mutation { addDevice(serialNo: "apollo-1", model: "TX-100") { device_id } }` })
  const one = gql`query One($id: ID!) { device(id: $id) { ...Row } } fragment Row on Device { device_id serial_no tags }`
  const watched = []
  client.watchQuery({ query: one, variables: { id: 'apollo-1' } }).subscribe(r => watched.push(r.data.device))
  const first = await client.query({ query: one, variables: { id: 'apollo-1' } })
  same(first.data.device.__typename, 'Device', 'the cache is told the type')

  // What is pushed lands in the cache, and with it in what is watched.
  const pushed = new Promise((done, no) => client.subscribe({ query: gql`subscription { deviceUpdated(deviceId: "apollo-1") { device_id serial_no tags } }` }).subscribe({ next: r => r.data.deviceUpdated.tags.length && done(r.data.deviceUpdated), error: no }))
  await client.mutate({ mutation: gql`mutation { tagDevice(id: "apollo-1", add: ["lab"]) { device_id serial_no tags } }` })
  same((await pushed).tags, ['lab'], 'the pushed state')
  same(client.readQuery({ query: one, variables: { id: 'apollo-1' } }).device.tags, ['lab'], 'the cache after a push')
  same(watched.at(-1).tags, ['lab'], 'the watched query after a push')

  const refused = await client.query({ query: gql`{ devicesConnection(filter: "fw=lt=new") { totalCount } }`, fetchPolicy: 'network-only' }).then(() => null, e => e)
  same(refused?.graphQLErrors?.[0]?.extensions?.code, 'registry.bad_filter', 'the code of an error')
  const stranger = new ApolloClient({ link: new HttpLink({ uri, fetch }), cache: new InMemoryCache() })
  const shut = await stranger.query({ query: gql`{ tags }` }).then(() => null, e => e)
  same(shut?.networkError?.statusCode, 401, 'without a token')
  console.log(`a query, a mutation, a push into the cache (${watched.length} states watched), two refusals`)
}
main().then(() => process.exit(0), fail)
