/** The same life on a device and in a backtest. */
export {
  type IncidentStep,
  Incidents,
  type Observation,
} from '@sightline/core/moderation/incidents.js'
