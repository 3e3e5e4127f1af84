package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/pialert/pialert/pkg/pairing"
)

// safeReplicas is how many copies of a message survive a power cut of one server.
const safeReplicas = 3

// syncedEach is how often JetStream syncs its files unless it is told otherwise; servers before 2.10 cannot be.
const syncedEach = 2 * time.Minute

// Sync is how a server of the broker keeps its files.
type Sync struct {
	Server string
	Always bool          // synced before it acknowledges
	Every  time.Duration // if not
}

// Frail says why a power cut may make the broker lose what it has acknowledged, for people; empty if it
// may not. Syncs is what [Syncs] found out; a client without the system account's credentials is not told.
func Frail(replicas int, syncs []Sync) string {
	if replicas >= safeReplicas {
		return ""
	}
	if len(syncs) == 0 {
		return fmt.Sprintf("the stream is on %d server, which syncs its files every two minutes unless its sync_interval says always", replicas)
	}
	for _, one := range syncs {
		if !one.Always {
			return fmt.Sprintf("the stream is on %d server, and %s syncs its files every %s, not always", replicas, one.Server, one.Every)
		}
	}
	return ""
}

// answersWithin is how long after another one a server's answer is waited for, until all have answered.
const answersWithin = time.Second

// Syncs asks the servers how they keep their files, with the credentials of their system account.
func Syncs(ctx context.Context, c Config, keyring *pairing.Keyring, system Credentials) ([]Sync, error) {
	conn, err := Connect(c, Options{Keyring: keyring, Credentials: &system})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.Await(ctx); err != nil {
		return nil, err
	}
	answers := make(chan *nats.Msg, 64)
	inbox := conn.NewInbox()
	if _, err := conn.ChanSubscribe(inbox, answers); err != nil {
		return nil, err
	}
	if err := conn.PublishRequest("$SYS.REQ.SERVER.PING.JSZ", inbox, nil); err != nil {
		return nil, err
	}
	var all []Sync
	for len(all) < len(c.Servers) {
		timer := time.NewTimer(answersWithin)
		select {
		case m := <-answers:
			timer.Stop()
			if one, ok := readSync(m.Data); ok {
				all = append(all, one)
			}
		case <-timer.C:
			return all, nil
		case <-ctx.Done():
			timer.Stop()
			return all, ctx.Err()
		}
	}
	return all, nil
}

// readSync reads a server's answer (nats-server's ServerAPIResponse with a JSInfo).
func readSync(data []byte) (one Sync, ok bool) {
	var answer struct {
		Server struct {
			Name string `json:"name"`
		} `json:"server"`
		Data *struct {
			Config *struct {
				SyncInterval time.Duration `json:"sync_interval"`
				SyncAlways   bool          `json:"sync_always"`
			} `json:"config"`
		} `json:"data"`
	}
	if err := json.Unmarshal(data, &answer); err != nil || answer.Data == nil || answer.Data.Config == nil {
		return Sync{}, false
	}
	one = Sync{Server: answer.Server.Name, Always: answer.Data.Config.SyncAlways, Every: answer.Data.Config.SyncInterval}
	if one.Every <= 0 {
		one.Every = syncedEach
	}
	return one, true
}
