package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/pialert/pialert/agent/internal/detect/login"
	"github.com/pialert/pialert/pkg/plural"
	"github.com/pialert/pialert/pkg/private"
)

// learnedFile is where `scan --learn` leaves for the agent from which networks users log in.
const learnedFile = "logins.json"

// maxLearned bounds that file, in bytes.
const maxLearned = 8 << 20

// learn adds what a scan found to what the agent is to know. The file belongs to whom the folder
// belongs: a person runs the scan and the service reads it.
func learn(state string, found []login.Known, out io.Writer) error {
	before, err := learned(state)
	if err != nil {
		return err
	}
	all := login.New()
	for _, known := range append(before, found...) {
		all.Learn(known)
	}
	text, err := json.MarshalIndent(all.Known(), "", "\t")
	if err != nil {
		return err
	}
	if err := private.Dir(state).Write(learnedFile, text); err != nil {
		return fmt.Errorf("cannot keep what was learnt: %w", err)
	}
	fmt.Fprintf(out, "learnt %s of users; the agent knows after: sudo systemctl reload pialert-agent\n", plural.Count(len(found), "network"))
	return nil
}

// learned returns what scans taught.
func learned(state string) (known []login.Known, err error) {
	text, err := private.Dir(state).Read(learnedFile, maxLearned)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &known)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read what was learnt of logins: %w; delete the file and learn anew", err)
	}
	return known, nil
}
