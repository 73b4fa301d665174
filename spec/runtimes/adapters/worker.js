import './subject.js'
import './specs.js'

export default {
  async fetch() {
    return Response.json(await runSpecs())
  },
}
