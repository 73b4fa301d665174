// Stands for the client: it leaves by aborting its service-binding fetch, because workerd on a machine of one's own
// does not notice a closed socket.
export default {
  async fetch(request, { MAIN, HOST }) {
    const order = await request.text()
    const client = new AbortController()
    fetch(`${HOST}/leave/${JSON.parse(order).id}`).then(() => client.abort(), () => {})
    try {
      const response = await MAIN.fetch('http://main/', { method: 'POST', body: order, signal: client.signal })
      return new Response(await response.text(), response)
    } catch (error) {
      return new Response(JSON.stringify({ gone: String(error) }))
    }
  },
}
