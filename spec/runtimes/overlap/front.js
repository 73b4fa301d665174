// Stands for the client. It leaves by aborting its service-binding fetch, because a local workerd does not
// notice a closed socket.
export default {
  async fetch(request, { MAIN, HOST }) {
    const order = await request.text()
    const client = new AbortController()
    fetch(`${HOST}/leave/${JSON.parse(order).id}`).then(() => client.abort(), () => {})
    try {
      const init = { method: 'POST', body: order, signal: client.signal }
      const response = await MAIN.fetch('http://main/', init)
      return new Response(await response.text(), response)
    } catch (error) {
      return new Response(JSON.stringify({ gone: String(error) }))
    }
  },
}
