package grpc_test

import (
	"testing"

	"google.golang.org/grpc"
)

// BenchmarkDeliver measures events per second from an agent's stream, in memory and without
// TLS, to the acknowledgement of their commit.
func BenchmarkDeliver(b *testing.B) {
	const size = 1000
	d := startDisplay(b)
	c := d.dial("web")
	c.greet(1)
	message := numbered(1, size)
	events := message.GetBatch().GetEvents()
	sent := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		for i := range events {
			sent++
			events[i].Sequence = sent
		}
		prepared := &grpc.PreparedMsg{}
		if err := prepared.Encode(c.stream, message); err != nil {
			b.Fatal(err)
		}
		if err := c.stream.SendMsg(prepared); err != nil {
			b.Fatal(err)
		}
	}
	c.waitAck(sent)
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkAcknowledge measures how long a single event waits for its acknowledgement.
func BenchmarkAcknowledge(b *testing.B) {
	d := startDisplay(b)
	c := d.dial("web")
	c.greet(1)
	sent := uint64(0)
	for b.Loop() {
		sent++
		c.send(numbered(sent, sent))
		c.waitAck(sent)
	}
}
