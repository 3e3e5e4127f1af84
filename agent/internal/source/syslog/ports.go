package syslog

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
)

// Ports are the ports in use, across reloads: a configuration that has one of them exactly as it was goes
// on with it, so that no message and no connection is lost. C is what a port is configured by. Its methods
// are safe for concurrent use.
type Ports[C any] struct {
	mu   sync.Mutex
	used []used[C]
}

// used is a port and what it was made of.
type used[C any] struct {
	config C
	port   *Port
}

// For returns the port of each configuration: the one in use, else one that open makes. It opens
// nothing, and changes nothing of what is in use.
func (p *Ports[C]) For(configs []C, open func(C) (*Port, error)) (ports []*Port, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, config := range configs {
		at := slices.IndexFunc(p.used, func(u used[C]) bool { return reflect.DeepEqual(u.config, config) })
		if at >= 0 {
			ports = append(ports, p.used[at].port)
			continue
		}
		port, err := open(config)
		if err != nil {
			return nil, fmt.Errorf("syslog[%d]: %w", i, err)
		}
		ports = append(ports, port)
	}
	return ports, nil
}

// Use notes that ports are in use from now on, those that [Ports.For] returned for the configurations.
func (p *Ports[C]) Use(configs []C, ports []*Port) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used = nil
	for i, port := range ports {
		p.used = append(p.used, used[C]{configs[i], port})
	}
}

// Retire has the ports end with their run that the next configurations have no use for.
func (p *Ports[C]) Retire(next []C) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used = slices.DeleteFunc(p.used, func(u used[C]) bool {
		if slices.ContainsFunc(next, func(config C) bool { return reflect.DeepEqual(config, u.config) }) {
			return false
		}
		u.port.Retire()
		return true
	})
}
