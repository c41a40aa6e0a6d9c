import type { DeviceCommand } from './fleet-api.ts'

/** Commands as a person says them. */
export const COMMAND_NAMES: Readonly<Record<string, string>> = {
  snapshot: 'Take a picture',
  doctor: 'Examine itself',
  'collect-logs': 'Send its log',
  'restart-camera': 'Restart a camera',
  'update-model': 'Change the model',
  'rotate-credential': 'Change its secret',
}

export const STATUS_NAMES: Readonly<Record<DeviceCommand['status'], string>> = {
  sent: 'Sent',
  accepted: 'Under way',
  progress: 'Under way',
  done: 'Done',
  failed: 'Failed',
  expired: 'Expired',
}
