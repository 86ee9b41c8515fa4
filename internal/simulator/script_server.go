package simulator

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"sync"
)

// A ScriptServer is a running Script.
type ScriptServer struct {
	Host  string // 127.0.0.1
	Port  int
	CAPEM string // the authority that signed its certificate

	listener  net.Listener
	authority *Authority
	tls       *tls.Config
	group     sync.WaitGroup

	mu          sync.Mutex // guards what follows
	closed      bool
	connections map[net.Conn]bool
	heard       []string
	unexpected  []string
}

// Start starts the script on a free loopback port.
func (s Script) Start() (*ScriptServer, error) { return s.start(false) }

// StartTLS starts the script on a free loopback port with TLS from the first byte.
func (s Script) StartTLS() (*ScriptServer, error) { return s.start(true) }

func (s Script) start(secured bool) (*ScriptServer, error) {
	authority, err := NewAuthority()
	if err != nil {
		return nil, err
	}
	certificate, err := authority.Certificate()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for a script: %w", err)
	}
	bound := listener.Addr().(*net.TCPAddr)
	if secured {
		listener = tls.NewListener(listener, config)
	}
	server := &ScriptServer{
		Host: bound.IP.String(), Port: bound.Port, CAPEM: authority.PEM,
		listener: listener, authority: authority, tls: config, connections: map[net.Conn]bool{},
	}
	server.group.Go(func() { server.accept(&s) })
	return server, nil
}

// Address is the host and the port.
func (s *ScriptServer) Address() string { return net.JoinHostPort(s.Host, fmt.Sprint(s.Port)) }

// TLSConfig is what a client needs that begins TLS.
func (s *ScriptServer) TLSConfig() *tls.Config { return trusting(s.authority) }

// Heard returns what clients have said so far, without tags.
func (s *ScriptServer) Heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.heard)
}

// Unexpected returns what no step fitted; the client was told Otherwise.
func (s *ScriptServer) Unexpected() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.unexpected)
}

// Close ends all connections and waits until nothing runs.
func (s *ScriptServer) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	for c := range s.connections {
		_ = c.Close()
	}
	s.mu.Unlock()
	if closed {
		return nil
	}
	err := s.listener.Close()
	s.group.Wait()
	return err
}

func (s *ScriptServer) accept(script *Script) {
	for {
		connection, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			_ = connection.Close()
			return
		}
		s.connections[connection] = true
		part := script
		s.group.Go(func() {
			part.play(s, connection)
			_ = connection.Close()
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.connections, connection)
		})
		s.mu.Unlock()
		if script.Next != nil {
			script = script.Next
		}
	}
}

func (s *ScriptServer) note(line string, unexpected bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, line)
	if unexpected {
		s.unexpected = append(s.unexpected, line)
	}
}
