#!/usr/bin/env node
// npx gcp-id-token: an ID token on standard output, or with --check, what becomes of it, step by step.

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import * as adc from 'gcp-id-token/adc'
import * as metadata from 'gcp-id-token/metadata'
import { check } from './cli/check.js'
import { blameCredentials, findCredentials, subjectTokenOf, wellKnownFile } from './cli/credentials.js'
import { EXIT, exitCodeOf, Failure, messageOf } from './cli/failure.js'
import { reporter } from './cli/report.js'

const HELP = `Usage: gcp-id-token AUDIENCE             prints an ID token for the audience
       gcp-id-token --check URL          calls the URL with one, and explains what happens

  --credentials FILE   a service-account key, or any other credential JSON; default:
                       GOOGLE_APPLICATION_CREDENTIALS, then gcloud's file of
                       "gcloud auth application-default login", then the metadata server
  --audience AUDIENCE  with --check; default: the origin of the URL, for cloudfunctions.net
                       the URL of the function
  --help, --version

Exit codes: 0 a token was printed; with --check: the service answered 2xx
            1 a fault of this program
            2 a mistake in the command line
            3 no credentials, or unusable ones
            4 Google refused them
            5 Google did not answer: worth trying again
            6 --check: Google refused to let the token in (401, 403)
            7 --check: any other answer of the service, or none

  curl -H "Authorization: Bearer $(npx gcp-id-token https://my-service.a.run.app)" \\
    https://my-service.a.run.app
`

const REMEDY = 'Pass --credentials key.json, or run: ' +
  'gcloud auth application-default login --impersonate-service-account=EMAIL'

try {
  process.exitCode = await run(readArguments())
} catch (error) {
  console.error(`gcp-id-token: ${messageOf(error)}`)
  process.exitCode = exitCodeOf(error)
}

async function run({ help, version, check: wanted, target, credentials, audience }) {
  if (help) return print(HELP)
  if (version) return print(`${ownVersion()}\n`)
  const report = reporter(process.stdout)
  if (wanted) return check({ url: target, audience, report, source: () => findSource(credentials) })
  const { getIdToken } = findSource(credentials)
  return print(`${await getIdToken({ audience: target })}\n`)
}

function readArguments() {
  const text = { type: 'string' }
  const flag = { type: 'boolean' }
  const options = { credentials: text, audience: text, check: flag, help: flag, version: flag }
  const { values, positionals } = parse({ allowPositionals: true, options })
  const [target, ...more] = positionals
  if (values.help || values.version) return values
  if (!target || more.length) throw misused('give one audience, or --check and one URL')
  if (values.audience !== undefined && !values.check) throw misused('--audience goes with --check')
  if (values.audience === '') throw misused('--audience is empty')
  return { ...values, target }
}

function parse(config) {
  try {
    return parseArgs(config)
  } catch (error) {
    // Its first sentence names the option; the rest is about positional arguments.
    throw misused(error.message.split('. ')[0])
  }
}

function misused(what) {
  return new Failure(EXIT.usage, `${what}; see --help`)
}

/** Where tokens come from here. */
function findSource(option) {
  const found = findCredentials(option, process.env)
  if (!found) {
    const host = process.env.GCE_METADATA_HOST || undefined
    // Only with the full format does Compute Engine name the email, by which Cloud Run knows a caller.
    const settings = { host, format: 'full', timeout: 3000, retries: 1 }
    return { getIdToken: (options) => metadata.getIdToken({ ...settings, ...options }).catch(nothingFound) }
  }
  const settings = { credentials: found.text, subjectToken: subjectTokenOf(found) }
  const getIdToken = (options) => adc.getIdToken({ ...settings, ...options }).catch(blameCredentials)
  return { ...found, getIdToken }
}

/** Without a status, nobody answered who could be a metadata server. */
function nothingFound(error) {
  if (error instanceof TypeError) throw misused('GCE_METADATA_HOST is no host')
  if (error.name !== 'IdTokenError' || error.status) throw error
  const looked = `--credentials, GOOGLE_APPLICATION_CREDENTIALS, ${wellKnownFile(process.env)}`
  const silence = error.message.replace(/^No /, 'no ') // amid a sentence
  throw new Failure(EXIT.credentials, `no credentials in ${looked}; and ${silence} - ${REMEDY}`)
}

function ownVersion() {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url))).version
}

function print(text) {
  process.stdout.write(text)
  return EXIT.ok
}
