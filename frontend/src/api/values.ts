/** The values of the contract's enumerations, in the order in which they are offered. */
export {
  pathsApiSamplesGetParametersQueryOutcomeValues as OUTCOMES,
  workspaceDefault_orderValues as ORDERS,
} from './schema';
