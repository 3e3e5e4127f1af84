// Package nftables keeps bans in force in the kernel's firewall, in one table of its own.
//
// The table is "inet pialert", spoken to by netlink. It has a set of IPv4 addresses, one of IPv6
// networks of 64 bits, one of whole networks of either family, and before them sets of who is never
// dropped. Elements time out by themselves, so that a responder that is gone leaves no ban behind
// that should be over.
//
// # What it promises
//
//   - [Table.Sync] makes what is in force equal to what is given, in one transaction that a packet
//     sees either before or after; what is right already is left alone.
//   - What somebody else flushed or changed is noticed ([Table.Watch]) and repaired by the next Sync.
//   - A ban that is given again has the new duration, on every kernel: before Linux 6.12 the kernel
//     ignores another timeout for an element that is there, so it is deleted and added in one
//     transaction.
//
// # What it refuses
//
// It never touches another table, and merges no bans: two that overlap would share one's end. It
// decides nothing.
package nftables

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"

	"github.com/pialert/pialert/agent/internal/value"
)

// buffers are the netlink socket's, in bytes: one transaction holds all bans.
const buffers = 4 << 20

// Ban is a source that is dropped until a moment.
type Ban struct {
	Target netip.Prefix // an IPv4 address, an IPv6 /64, or a larger network
	Until  time.Time
}

// Options say where packets are dropped.
type Options struct {
	Forward bool // also what is forwarded, such as to the published ports of containers
	NetNS   int  // file descriptor of a network namespace; 0 is the process's own
}

// Table is the one table. Its methods are for one goroutine, but for Watch.
type Table struct {
	options Options
	have    map[netip.Prefix]time.Time // what is in force, as far as is known; nil if nothing is known
}

// New returns a Table that has touched nothing.
func New(options Options) *Table { return &Table{options: options} }

// conn opens a connection; a lasting one is only needed to watch.
func (t *Table) conn(options ...nftables.ConnOption) (*nftables.Conn, error) {
	options = append(options, nftables.WithSockOptions(func(c *netlink.Conn) error {
		return errors.Join(c.SetReadBuffer(buffers), c.SetWriteBuffer(buffers))
	}))
	if t.options.NetNS != 0 {
		options = append(options, nftables.WithNetNSFd(t.options.NetNS))
	}
	c, err := nftables.New(options...)
	if err != nil {
		return nil, fmt.Errorf("cannot open netlink: %w", explain(err))
	}
	return c, nil
}

// Sync makes the table hold these bans, and nobody in allow be dropped. It reads what is in force
// first, and returns how many bans it had to add, change or take away.
func (t *Table) Sync(bans []Ban, allow value.Networks, now time.Time) (changed int, err error) {
	c, err := t.conn()
	if err != nil {
		return 0, err
	}
	want := make(map[netip.Prefix]time.Time, len(bans))
	for _, b := range bans {
		if b.Until.After(now) {
			want[b.Target] = b.Until
		}
	}
	layout := layoutOf(t.options.Forward, allow.List())
	have, intact, err := layout.read(c, now)
	if err != nil {
		return 0, err
	}
	if !intact {
		err, have = layout.build(c), nil
	}
	if err == nil {
		changed, err = layout.change(c, have, want, now)
	}
	if err == nil && (changed > 0 || !intact) {
		err = c.Flush()
	}
	if err != nil {
		t.have = nil
		return 0, fmt.Errorf("cannot change the firewall: %w", explain(err))
	}
	t.have = want
	return changed, nil
}

// Add puts one more ban in force, without reading the table. Where that is not certain to be right,
// it says so by an error, and Sync is due.
func (t *Table) Add(b Ban, now time.Time) error {
	if t.have == nil {
		return errors.New("what is in force is not known yet")
	}
	c, err := t.conn()
	if err != nil {
		return err
	}
	layout := layoutOf(t.options.Forward, nil)
	have := map[netip.Prefix]time.Time{}
	if until, ok := t.have[b.Target]; ok && until.After(now.Add(slack)) {
		have[b.Target] = until
	}
	if _, err = layout.change(c, have, map[netip.Prefix]time.Time{b.Target: b.Until}, now); err == nil {
		err = c.Flush()
	}
	if err != nil {
		t.have = nil
		return fmt.Errorf("cannot change the firewall: %w", explain(err))
	}
	t.have[b.Target] = b.Until
	return nil
}

// Remove takes the whole table back, and with it every ban.
func (t *Table) Remove() error {
	c, err := t.conn()
	if err != nil {
		return err
	}
	t.have = nil
	table, err := find(c)
	if err != nil || table == nil {
		return err
	}
	c.DelTable(table)
	if err := c.Flush(); err != nil {
		return fmt.Errorf("cannot take the firewall's table back: %w", explain(err))
	}
	return nil
}

// Dropped returns how many packets and bytes were dropped since the table was made.
func (t *Table) Dropped() (packets, bytes uint64, err error) {
	c, err := t.conn()
	if err != nil {
		return 0, 0, err
	}
	table, err := find(c)
	if err != nil || table == nil {
		return 0, 0, err
	}
	return dropped(c, table)
}

// Watch calls changed whenever somebody may have changed the table, until ctx ends; also after
// changes of its own.
func (t *Table) Watch(ctx context.Context, changed func()) error {
	c, err := t.conn(nftables.AsLasting())
	if err != nil {
		return err
	}
	defer c.CloseLasting()
	monitor := nftables.NewMonitor()
	events, err := c.AddGenerationalMonitor(monitor)
	if err != nil {
		return fmt.Errorf("cannot watch the firewall: %w", explain(err))
	}
	defer monitor.Close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-events:
			if !ok {
				return errors.New("the kernel no longer tells of changes of the firewall")
			}
			changed()
		}
	}
}
