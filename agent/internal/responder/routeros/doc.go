// Package routeros keeps bans in force in the address lists of MikroTik routers, by RouterOS' own API
// (help.mikrotik.com, "API") over TLS.
//
// An entry is made with a timeout, so that it stays in the router's memory and ends by itself; one that
// has long to last gets a day, and is refreshed while half of that is left. A router that its responder
// left therefore lets everybody in again within a day. Entries bear a comment that says whose they are.
// What is done with the lists is for the router's own firewall rules to say.
//
// # What it promises
//
//   - [Router.Sync] makes the entries of one name in one list what is given, by adding, refreshing and
//     removing the difference; entries of others, also in the same list, are never touched.
//   - What is there is read at each new connection, so also after the router was started anew, and then
//     again and again, but for no more than a twentieth of the time: a long list takes routers seconds.
//   - The router is known by its certificate alone, whoever signed it. Nothing is sent to another one.
//   - Every step has a deadline, and whatever a router answers is bounded.
//   - IPv6 that a router does not have does not hold up its IPv4.
//
// # What it refuses
//
// It decides nothing, makes no firewall rule, and speaks neither plain TCP nor the challenge login of
// RouterOS before 6.43. It was written from the documentation and holds against a fake that was, too:
// no real router was at hand.
package routeros
