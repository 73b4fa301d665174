import reportTo from './report-to.js'
import './subject.js'
import './specs.js'

const report = fetch // a spec may leave another in its place

report(reportTo, { method: 'POST', body: JSON.stringify(await runSpecs()) })
