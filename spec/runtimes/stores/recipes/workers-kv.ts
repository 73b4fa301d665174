import { env } from 'cloudflare:workers'
import { workersKvStore } from 'gcp-id-token/store'

export const store = workersKvStore(env.TOKENS, { secret: env.TOKENS_SECRET })
