package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pialert/pialert/pkg/broker"
)

// issued are the credentials that were made for agents.
type issued struct {
	Agents  map[string][]broker.ID  `json:"agents"`  // by name
	Revoked map[broker.ID]time.Time `json:"revoked"` // since when
}

func (a *Authority) issued() (made issued, err error) {
	data, err := a.dir.Read(issuedFile, maxFile)
	if err == nil {
		err = json.Unmarshal(data, &made)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return made, fmt.Errorf("cannot read which credentials were made: %w", err)
	}
	if made.Agents == nil {
		made.Agents = map[string][]broker.ID{}
	}
	if made.Revoked == nil {
		made.Revoked = map[broker.ID]time.Time{}
	}
	return made, nil
}

func (a *Authority) storeIssued(made issued) error {
	data, err := json.Marshal(made)
	if err != nil {
		return err
	}
	return a.dir.Write(issuedFile, append(data, '\n'))
}
