/** Every arm that a run can have, in the order of the tables. */
import type { Arm } from './arm.ts';
import { bridgeArm } from './bridge.ts';
import { direct } from './direct.ts';
import { haproxy } from './haproxy.ts';
import { nginx } from './nginx.ts';
import { portkey } from './portkey.ts';

/** A bridge with other settings is one more line: its name and the sections of the configuration that differ. */
const ARMS: Arm[] = [direct, nginx, haproxy, portkey, bridgeArm('bridge')];

/** The named ones, or all; `direct` is always there, since everything is compared with it. */
export function chooseArms(names: string[] | undefined, also: { name: string; checkout: string }[]): Arm[] {
  const unknown = names?.find((name) => ARMS.every((arm) => arm.name !== name));
  if (unknown !== undefined)
    throw new Error(`no arm "${unknown}" (there are: ${ARMS.map(({ name }) => name).join(', ')})`);
  const chosen =
    names === undefined ? ARMS : ARMS.filter(({ name }) => name === 'direct' || names.includes(name));
  return [...chosen, ...also.map(({ name, checkout }) => bridgeArm(name, {}, checkout))];
}
