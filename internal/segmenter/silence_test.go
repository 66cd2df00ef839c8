package segmenter

import (
	"encoding/hex"
	"testing"
)

// The blocks, bit by bit from ISO 14496-3, 4.4.2: id_syn_ele(3) and
// element_instance_tag(4), then for one channel global_gain(8), ics_info(11) and three
// flags, for two common_window(1), ics_info(11), ms_mask_present(2) and twice
// global_gain(8) and three flags; at the end ID_END(3).
func TestABlockWithoutSoundForEachChannelConfiguration(t *testing.T) {
	t.Parallel()
	want := []string{
		1: "00000007",
		2: "21000000001c",
		3: "000000010800000000e0",
		4: "00000001080000000002000007",
		5: "00000001080000000023000000001c",
		6: "00000001080000000023000000000c000000e0",
		7: "000000010800000000230000000004a0000000018000001c",
	}
	for i, w := range want {
		if got := hex.EncodeToString(silent[i]); i > 0 && got != w {
			t.Errorf("configuration %d: %s, want %s", i, got, w)
		}
	}
	if len(silent) != len(want) {
		t.Errorf("%d configurations", len(silent))
	}
}
