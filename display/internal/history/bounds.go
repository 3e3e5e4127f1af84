package history

// Bounds that no conforming set of agents reaches.
const (
	MaxAgents   = 1 << 14         // agents that ever sent an event to this display
	maxEpochs   = 16              // epochs whose marks are kept per agent, the newest ones
	MaxSequence = 1<<62 - 1       // the highest sequence number that can be stored
	maxSum      = uint64(1) << 61 // a total stays at this value rather than wrap
)

// maxDay is the most that one day's total says. It leaves room to add up the days of centuries
// in 64 bits, and no server reaches it: it is a billion attempts a second.
const maxDay = 1 << 46
