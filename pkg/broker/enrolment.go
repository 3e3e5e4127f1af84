package broker

import (
	"bytes"
	"compress/flate"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// Enrolment is all that a new agent of a fleet has to be given: the broker, its credentials there, and the token
// that pairs it with a display. It is a secret until the token was used, and its credentials stay one.
type Enrolment struct {
	Token       string      `json:"token"`
	Servers     []string    `json:"servers"`
	Stream      string      `json:"stream"`
	CA          []byte      `json:"ca"` // PEM
	Credentials Credentials `json:"credentials"`
}

// enrolmentPrefix begins the word that stands for an enrolment; the digit is the version of its form.
const enrolmentPrefix = "pialertfleet1-"

// maxEnrolment bounds the word, in characters: a terminal takes lines of 4,095.
const maxEnrolment = 4000

// IsEnrolment says whether a word stands for an enrolment.
func IsEnrolment(text string) bool { return strings.HasPrefix(text, enrolmentPrefix) }

// String returns the enrolment as one word.
func (e Enrolment) String() string {
	raw, err := json.Marshal(e)
	if err != nil {
		return "" // no field can fail
	}
	var packed bytes.Buffer
	w, _ := flate.NewWriter(&packed, flate.BestCompression) // fails for other levels only
	w.Write(raw)
	w.Close()
	return enrolmentPrefix + base64.RawURLEncoding.EncodeToString(packed.Bytes())
}

var errDamaged = errors.New("the line is damaged: copy the whole of it again")

// ParseEnrolment reads what [Enrolment.String] writes.
func ParseEnrolment(text string) (e Enrolment, err error) {
	digits, ok := strings.CutPrefix(strings.Join(strings.Fields(text), ""), enrolmentPrefix)
	packed, err := base64.RawURLEncoding.Strict().DecodeString(digits)
	if !ok || err != nil || len(text) > maxEnrolment {
		return e, errDamaged
	}
	raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), 4*maxEnrolment))
	if err != nil || json.Unmarshal(raw, &e) != nil {
		return e, errDamaged
	}
	for _, server := range e.Servers {
		if err := CheckServer(server); err != nil {
			return e, errDamaged
		}
	}
	if _, err := e.Credentials.ID(); err != nil || !x509.NewCertPool().AppendCertsFromPEM(e.CA) {
		return e, errDamaged
	}
	return e, nil
}
