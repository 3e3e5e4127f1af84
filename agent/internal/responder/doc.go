// Package responder keeps what is in force equal to what was decided: it takes decisions to ban,
// remembers them, and has backends such as the firewall carry them out.
//
// It is the privileged half of responses, in a process of its own, and trusts the half that decides
// in nothing: whatever that was talked into, it can ban no more than the bounds allow, nobody in the
// allow list, and for no longer than the longest ban.
//
// # What it promises
//
//   - A ban that was accepted is on disk, and in force as soon as each backend can; it ends on time,
//     also after a restart or a reboot, and also if the responder is gone by then.
//   - Desired state is compared with actual state at the start, at every change, whenever a backend
//     notices that somebody else changed something, and every ten seconds.
//   - Nobody in the allow list is banned; for its names it is told addresses by the half that decides, which
//     can spare somebody and ban nobody.
//   - A backend that fails is tried again, says so in [Responder.Status], and holds up no other.
//
// # What it refuses
//
// It decides nothing, reads no log and listens to no network. Decisions beyond the bounds are refused
// with a reason, not cut down to them.
package responder
