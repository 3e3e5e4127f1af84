// Package exempt knows who must never be banned on this machine: networks that no attacker comes from by
// the internet, the owner's list, the machine's own addresses, its gateways and resolvers, the
// displays, and whoever is logged in from another machine.
//
// # What it promises
//
//   - What it says of the machine is at most five seconds old: whoever logs in is exempt at once, and
//     no longer than he is there.
//   - A network is exempt if anything in it is.
//   - A display is exempt where it was last, too, over a restart of the agent ([Displays]).
//   - What the owner named as a network from which attackers come is no special network, but everything
//     else holds for it.
//
// # What it refuses
//
// It asks no name server and no daemon: it reads what the kernel, utmp(5) and systemd write down. What
// cannot be read makes nobody exempt, and hinders nothing else.
package exempt
