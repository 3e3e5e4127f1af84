package channel

import (
	"fmt"
	"time"
)

// Outcome says what is known of a message that was not delivered for certain.
type Outcome int

// The outcomes. A message that arrived has none: sending returns no error.
const (
	Failed    Outcome = iota + 1 // it did not arrive; another attempt may succeed
	Throttled                    // the service wants to be asked later, which is no fault of the message's
	Refused                      // the service will never take it as it is
	Unknown                      // the service may have taken it: its answer did not come
)

// Failure is the error of every channel that could not deliver.
type Failure struct {
	Outcome Outcome
	Answer  string        // what the service said, or what kept it from answering; holds no secret
	Wait    time.Duration // when Throttled: how long the service asks to wait; 0 if it did not say
}

func (f *Failure) Error() string {
	switch f.Outcome {
	case Throttled:
		return fmt.Sprintf("the service asks to wait %s: %s", f.Wait, f.Answer)
	case Refused:
		return "refused: " + f.Answer
	case Unknown:
		return "it may or may not have arrived: " + f.Answer
	default:
		return f.Answer
	}
}
