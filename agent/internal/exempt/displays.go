package exempt

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"sync"

	"github.com/pialert/pialert/pkg/private"
)

// Displays remembers where displays were connected from last, also over a restart of the agent: one that
// has not come back yet must not be banned meanwhile. Its methods may be called from any goroutine.
type Displays struct {
	state  private.Dir
	logger *slog.Logger

	mu   sync.Mutex
	seen map[string]netip.Addr // by name
}

// displaysFile keeps them; displaysMost bounds it, in bytes.
const (
	displaysFile = "displays.json"
	displaysMost = 1 << 20
)

// RememberDisplays reads what was remembered in the folder of the agent's state. A file that cannot be
// read is told, and written anew: it spares somebody for minutes, and must not keep the agent from its
// work.
func RememberDisplays(state string, logger *slog.Logger) *Displays {
	d := &Displays{state: private.Dir(state), logger: logger, seen: map[string]netip.Addr{}}
	text, err := d.state.Read(displaysFile, displaysMost)
	if err == nil {
		err = json.Unmarshal(text, &d.seen)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		logger.Warn("cannot read where displays were seen last", "error", err)
	}
	if d.seen == nil { // of a file that says null
		d.seen = map[string]netip.Addr{}
	}
	return d
}

// Note remembers where a display is connected from; what is no address, such as an SSH session's, is not.
func (d *Displays) Note(name, address string) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return
	}
	addr := at.Addr().Unmap().WithZone("")
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen[name] == addr {
		return
	}
	d.seen[name] = addr
	text, err := json.Marshal(d.seen)
	if err == nil {
		err = d.state.Write(displaysFile, text)
	}
	if err != nil {
		d.logger.Warn("cannot keep where a display is", "display", name, "error", err)
	}
}

// Addresses returns where displays were seen last, and forgets those that are not paired any more.
func (d *Displays) Addresses(paired func(name string) bool) (all []netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.seen, func(name string, _ netip.Addr) bool { return !paired(name) })
	for _, addr := range d.seen {
		all = append(all, addr)
	}
	return all
}
