package attack

// Bounds of an event's fields, in bytes where they bound text. A matcher clips text to them;
// [Event.Check] refuses what exceeds them.
const (
	MaxUser    = 256     // a user name
	MaxName    = 255     // a host name (RFC 1035 section 2.3.4) or any name of our own
	MaxText    = 1024    // a request target, a user agent or another text of a detail
	MaxWord    = 64      // a method, a reason, a service: words that daemons choose from
	MaxCount   = 1e9     // attempts in one event: lines of a hundred gigabytes of log
	MaxEpisode = 1 << 40 // requests or attempts of one episode: a million a second for twelve days
	MaxRuleID  = 64      // a rule's name
)
