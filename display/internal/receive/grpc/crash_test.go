package grpc_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/receive"
	receivegrpc "github.com/pialert/pialert/display/internal/receive/grpc"
)

// The test binary runs itself again as a display that keeps its history and its socket here.
const folderVariable = "RECEIVE_TEST_FOLDER"

func TestMain(m *testing.M) {
	folder := os.Getenv(folderVariable)
	if folder == "" {
		os.Exit(m.Run())
	}
	if err := serveDisplay(folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serveDisplay receives until it is killed. It says "ready" when it listens.
func serveDisplay(folder string) error {
	h, err := history.Open(history.Options{Path: filepath.Join(folder, "history.db")})
	if err != nil {
		return err
	}
	go h.Run(context.Background())
	socket := filepath.Join(folder, "socket")
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return receivegrpc.New(receivegrpc.Options{
		Admission: receive.New(receive.Options{Store: h, Show: new(gallery)}),
		Peer:      nameOf, Transport: []grpc.ServerOption{grpc.Creds(insecure.NewCredentials())},
	}).Run(context.Background(), listener)
}

// A display that is killed at random moments has counted every event once when all are
// acknowledged, and never forgets what it acknowledged.
func TestKilledDisplayCountsEachEventOnce(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(5, 6))
	const all, most = 20000, 8
	acknowledged, kills := uint64(0), 0
	for acknowledged < all {
		cmd := exec.CommandContext(t.Context(), exe)
		cmd.Env = append(os.Environ(), folderVariable+"="+folder)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ready := make([]byte, len("ready\n"))
		if _, err := out.Read(ready); err != nil {
			t.Fatal(err)
		}
		acks := 1 + random.IntN(2)
		if kills == most {
			acks = all // the last one may finish
		}
		acknowledged = deliverUntil(t, filepath.Join(folder, "socket"), acknowledged, all, acks, func() {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		})
		kills++
		_ = cmd.Wait()
	}
	d := reopenDisplay(t, filepath.Join(folder, "history.db"))
	if got := d.attempts("web"); got != all {
		t.Errorf("%d attempts after %d kills, want %d", got, kills, all)
	}
	records, err := d.history.Recent(t.Context(), 1000, history.Filter{})
	if err != nil || len(records) != 1000 {
		t.Fatalf("%d records, error %v", len(records), err)
	}
	for i, record := range records {
		if want := uint64(all - i); record.Sequence != want || record.Event.User != fmt.Sprint("user", want) {
			t.Errorf("record %d is event %d of %s, want %d", i, record.Sequence, record.Event.User, want)
		}
	}
}

// deliverUntil sends small batches from what is committed on, kills the display after some
// acknowledgements, in the middle of others' commits, and returns the last one that arrived.
func deliverUntil(t *testing.T, socket string, former, all uint64, acks int, kill func()) (acknowledged uint64) {
	t.Helper()
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := open(t, conn, "web")
	acknowledged = c.greet(7)
	if acknowledged < former {
		t.Errorf("the display forgot what it acknowledged: %d of %d", acknowledged, former)
	}
	go func(next uint64) {
		for n := uint64(1); next <= all; n++ {
			last := min(next+n*7%20, all)
			c.send(numbered(next, last))
			next = last + 1
		}
	}(acknowledged + 1)
	for acknowledged < all {
		message, err := c.stream.Recv()
		if err != nil {
			return acknowledged
		}
		acknowledged = message.GetAck().GetCommitted()
		if acks--; acks == 0 {
			kill()
		}
	}
	kill()
	return acknowledged
}
