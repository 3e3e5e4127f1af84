package grpc_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"
)

// raw is a paired agent that speaks HTTP/2 by hand.
type raw struct {
	*http2.Framer
	conn  net.Conn
	ended chan struct{} // closed when the display has closed the connection
	next  uint32        // stream
	name  string
}

func (d *display) dialRaw(name string) *raw {
	d.t.Helper()
	conn, err := d.pipe.DialContext(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	r := &raw{Framer: http2.NewFramer(conn, conn), conn: conn, ended: make(chan struct{}), next: 1, name: name}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		d.t.Fatal(err)
	}
	if err := r.WriteSettings(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		defer close(r.ended)
		io.Copy(io.Discard, conn)
	}()
	return r
}

// headers are those of a call of Deliver.
func headers(name string) []byte {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", "/pialert.v1.Display/Deliver"}, {":authority", "display"},
		{"content-type", "application/grpc"}, {"te", "trailers"}, {nameHeader, name},
	} {
		encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	return block.Bytes()
}

// open begins a stream.
func (r *raw) open() (id uint32, err error) {
	id, r.next = r.next, r.next+2
	return id, r.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: headers(r.name), EndHeaders: true})
}

// message frames a message as gRPC does, and says that it has so many bytes.
func message(says uint32, body []byte) []byte {
	return append([]byte{0, byte(says >> 24), byte(says >> 16), byte(says >> 8), byte(says)}, body...)
}

// greeted opens a stream and says hello on it.
func (r *raw) greeted() (id uint32, err error) {
	text, err := proto.Marshal(hello(1))
	if err != nil {
		return 0, err
	}
	id, opened := r.open()
	return id, errors.Join(opened, r.WriteData(id, false, message(uint32(len(text)), text)))
}

// repeat does something again and again until it fails.
func repeat(times int, do func() error) error {
	for range times {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// TestHostileHTTP2 has a paired agent do what no client of gRPC does. Another agent is served meanwhile, and what it
// took ends with its connection.
func TestHostileHTTP2(t *testing.T) {
	d := startDisplay(t)
	conforming := d.dial("web")
	conforming.greet(1)
	sent := uint64(0)
	serves := func() {
		t.Helper()
		sent++
		conforming.send(numbered(sent, sent))
		conforming.waitAck(sent)
	}
	serves()
	const many = 5000
	for i, attack := range []struct {
		name string
		do   func(r *raw) error
	}{
		{"thousands of streams", func(r *raw) error {
			return repeat(many, func() error { _, err := r.open(); return err })
		}},
		{"streams that are reset at once", func(r *raw) error {
			return repeat(many, func() error {
				id, err := r.open()
				return errors.Join(err, r.WriteRSTStream(id, http2.ErrCodeCancel))
			})
		}},
		{"resets of streams that there are not", func(r *raw) error {
			return repeat(many, func() error { r.next += 2; return r.WriteRSTStream(r.next, http2.ErrCodeCancel) })
		}},
		{"pings", func(r *raw) error { return repeat(many, func() error { return r.WritePing(false, [8]byte{}) }) }},
		{"settings", func(r *raw) error {
			return repeat(many, func() error {
				return r.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: math.MaxInt32})
			})
		}},
		{"windows without end", func(r *raw) error {
			id, err := r.greeted()
			return errors.Join(err, repeat(many, func() error {
				return errors.Join(r.WriteWindowUpdate(0, math.MaxInt32), r.WriteWindowUpdate(id, math.MaxInt32))
			}))
		}},
		{"headers without end", func(r *raw) error {
			err := r.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers(r.name)})
			return errors.Join(err, repeat(many, func() error {
				return r.WriteContinuation(1, false, bytes.Repeat([]byte{0x40, 1, 'a', 1, 'b'}, 3000))
			}))
		}},
		{"more than the window lets through", func(r *raw) error {
			id, err := r.greeted()
			err = errors.Join(err, r.WriteData(id, false, message(1<<20-1, nil)))
			return errors.Join(err, repeat(many, func() error { return r.WriteData(id, false, make([]byte, 16<<10)) }))
		}},
		{"a message that never ends", func(r *raw) error {
			id, err := r.greeted()
			return errors.Join(err, r.WriteData(id, false, message(1<<20-1, []byte("half"))))
		}},
		{"a message of 4 GiB", func(r *raw) error {
			id, err := r.greeted()
			return errors.Join(err, r.WriteData(id, false, message(math.MaxUint32, []byte("half"))))
		}},
		{"no protobuf", func(r *raw) error {
			id, err := r.greeted()
			return errors.Join(err, r.WriteData(id, false, message(6, []byte("\x0a\xff\xff\xff\xff\x0f"))))
		}},
		{"an end before a beginning", func(r *raw) error {
			return r.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers(r.name), EndHeaders: true, EndStream: true})
		}},
		{"data of no stream", func(r *raw) error {
			return repeat(many, func() error { return r.WriteData(7, false, []byte("x")) })
		}},
		{"frames of no type", func(r *raw) error {
			return repeat(many, func() error { return r.WriteRawFrame(0xbe, 0xff, 1, []byte("x")) })
		}},
	} {
		t.Run(attack.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			goroutines := runtime.NumGoroutine()
			r := d.dialRaw(fmt.Sprint("liar", i)) // nobody who was cut off before
			wrong := attack.do(r)                 // the display may have hung up
			serves()
			runtime.GC()
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
				t.Errorf("%d MiB more are used", grown>>20)
			}
			r.conn.Close()
			<-r.ended
			d.await(func() bool { return runtime.NumGoroutine() <= goroutines })
			t.Logf("%d streams begun, %v", r.next/2, wrong)
		})
	}
	serves()
	if lines := d.log.count("\n"); lines > 40 {
		t.Errorf("%d lines were logged", lines)
	}
}
