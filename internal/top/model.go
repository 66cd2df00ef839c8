package top

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/rtmpd/rtmpd/internal/api"
)

// model is the bubbletea model: it gets messages and shows a View.
type model struct {
	ctx           context.Context // bubbletea can't pass it to commands otherwise
	source        func(context.Context) (*api.Snapshot, error)
	interval      time.Duration
	view          View
	width, height int
}

// A message with the result of one poll.
type (
	seen struct{ *api.Snapshot }
	lost struct{ error }
)

// Init implements tea.Model.
func (m model) Init() tea.Cmd { return m.look() }

// look polls the server after an interval.
func (m model) look() tea.Cmd {
	return tea.Tick(m.interval, func(time.Time) tea.Msg {
		s, err := m.source(m.ctx)
		if err != nil {
			return lost{err}
		}
		return seen{s}
	})
}

// Update implements tea.Model.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case seen:
		m.view.See(msg.Snapshot, time.Now())
		return m, m.look()
	case lost:
		m.view.Trouble = msg.Error()
		return m, m.look()
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return m.key(msg.String())
	}
	return m, nil
}

func (m model) key(name string) (tea.Model, tea.Cmd) {
	if m.view.Help && name != "q" && name != "ctrl+c" {
		m.view.Help = false
		return m, nil
	}
	page := max(m.height/3, 1)
	switch name {
	case "q", "ctrl+c":
		return m, tea.Quit
	case "?", "h":
		m.view.Help = true
	case "s":
		m.view.Sort = (m.view.Sort + 1) % numSorts
	case "tab":
		m.view.Focus = (m.view.Focus + 1) % m.view.sections()
	case "shift+tab":
		m.view.Focus = (m.view.Focus + m.view.sections() - 1) % m.view.sections()
	case "up", "k":
		m.view.scroll(-1)
	case "down", "j":
		m.view.scroll(1)
	case "pgup":
		m.view.scroll(-page)
	case "pgdown", "space":
		m.view.scroll(page)
	case "home", "g":
		m.view.Offset[m.view.Focus] = 0
	}
	return m, nil
}

// View implements tea.Model.
func (m model) View() tea.View {
	v := tea.View{AltScreen: true, WindowTitle: "rtmpd top"}
	if m.width > 0 { // else the size of the terminal is not known yet
		v.Content = m.view.Frame(m.width, m.height)
	}
	return v
}
