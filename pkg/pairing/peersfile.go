package pairing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const (
	peersFile    = "peers.json"
	peersVersion = 1
	maxPeersFile = 1 << 26 // bytes; a full file of MaxPeers peers stays below it
)

// peersJSON is the form of peers.json. Peers stand in the order in which they were paired.
type peersJSON struct {
	Version int    `json:"version"`
	Peers   []Peer `json:"peers"`
}

func encodePeers(peers []Peer) ([]byte, error) {
	data, err := json.MarshalIndent(peersJSON{Version: peersVersion, Peers: peers}, "", "  ")
	return append(data, '\n'), err
}

// decodePeers reads the peers of a machine of role self, strictly: a file that this program
// could not have written is refused as a whole, with the reason.
func decodePeers(data []byte, self Role) ([]Peer, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var file peersJSON
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("line %d: %w", lineOf(data, err, decoder.InputOffset()), err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the list of peers")
	}
	if file.Version != peersVersion {
		return nil, fmt.Errorf("its version is %d: this program reads version %d", file.Version, peersVersion)
	}
	return file.Peers, checkPeers(file.Peers, self)
}

func checkPeers(peers []Peer, self Role) error {
	if len(peers) > MaxPeers {
		return fmt.Errorf("it lists %d peers: at most %d can be paired", len(peers), MaxPeers)
	}
	names := map[string]bool{}
	keys := map[Fingerprint]string{}
	for _, peer := range peers {
		if err := peer.check(self); err != nil {
			return err
		}
		if names[peer.Name] {
			return fmt.Errorf("it lists %s twice", peer.Name)
		}
		names[peer.Name] = true
		for _, key := range []Fingerprint{peer.Key, peer.NextKey} {
			if key.IsZero() {
				continue
			}
			if other, ok := keys[key]; ok {
				return fmt.Errorf("%s and %s have the same key", other, peer.Name)
			}
			keys[key] = peer.Name
		}
	}
	return nil
}

// lineOf returns the line, counted from 1, at which decoding failed.
func lineOf(data []byte, err error, offset int64) int {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	}
	return 1 + bytes.Count(data[:offset], []byte("\n"))
}
