package broker

import (
	"encoding/base64"
	"strings"

	"github.com/pialert/pialert/pkg/pairing"
)

// root begins every subject; the number is the version of what follows.
const root = "pialert.v1."

// Sorts of subjects.
const (
	Events   = "events"
	Beats    = "beats"
	Receipts = "receipts"
	Ticks    = "ticks"
	Key      = "key"
	Join     = "join"
)

// ID is how a machine is called in subjects.
type ID string

// DisplayID returns the ID of the display with a key.
func DisplayID(key pairing.Fingerprint) ID { return ID(base64.RawURLEncoding.EncodeToString(key[:])) }

// Subject returns the subject of a sort, for a receiver, by a sender. Either may be [Any].
func Subject(sort string, receiver, sender ID) string {
	return root + sort + "." + string(receiver) + "." + string(sender)
}

// Any stands for all receivers or senders.
const Any ID = "*"

// Of returns the subject of a sort that is one display's: [Ticks] or [Key].
func Of(sort string, display ID) string { return root + sort + "." + string(display) }

// Sender returns who published on a subject, as the broker saw to.
func Sender(subject string) ID { return ID(subject[strings.LastIndexByte(subject, '.')+1:]) }
