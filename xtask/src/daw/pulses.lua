ardour {
  ["type"] = "dsp", name = "Hitscribe pulses", category = "Utility", license = "MIT",
  author = "Hitscribe", description = [[One sample for each note-on, as high as its key; nothing else]]
}

function dsp_ioconfig ()
  return { { midi_in = 1, midi_out = 1, audio_in = 2, audio_out = 2 } }
end

-- Keys that found no free sample in their block.
local waiting = {}

function dsp_run (_, outs, n_samples)
  for channel = 1, #outs do ARDOUR.DSP.memset (outs[channel], 0, n_samples) end
  local samples = outs[1]:array ()
  local function put (key, from)
    for at = from, n_samples do
      if samples[at] == 0 then
        samples[at] = (key + 1) / 256
        return
      end
    end
    waiting[#waiting + 1] = key
  end
  local late = waiting
  waiting = {}
  for _, key in ipairs (late) do put (key, 1) end
  for _, event in ipairs (midiin) do
    local data = event["data"]
    if #data == 3 and (data[1] & 240) == 144 and data[3] > 0 then put (data[2], event["time"]) end
  end
end
