package wake_test

import (
	"testing"

	"github.com/pialert/pialert/pkg/wake"
)

func TestRingsAreRememberedOnce(t *testing.T) {
	bell := wake.New()
	select {
	case <-bell:
		t.Fatal("it rings before anybody rang it")
	default:
	}
	bell.Ring()
	bell.Ring() // does not wait
	<-bell
	select {
	case <-bell:
		t.Error("it rang twice")
	default:
	}
}
