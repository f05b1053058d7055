//! Frame lists as people write them: `1-24`, `1-10:2,20`, `1..24`, `-5--1`.

use std::collections::HashSet;

/// Most frames of one job.
pub const MAX_FRAMES: usize = 100_000;
/// Largest frame number; Blender has no others.
pub const MAX_FRAME: i32 = 1_048_574;
/// Most mentions of frames in one list, repeated ones counted: what a hostile list can cost.
const MAX_MENTIONS: usize = 10 * MAX_FRAMES;
/// Longest text.
const MAX_BYTES: usize = 1 << 20;

/// Why a frame list is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FramesError {
    /// Nothing in it.
    #[error("no frames are given; write for example 1-24")]
    Empty,
    /// A part that is no frame and no range.
    #[error("'{0}' is no frame and no range of frames; write for example 1-24 or 1-10:2,20")]
    Garbage(String),
    /// From a later frame to an earlier one.
    #[error("the range '{0}' runs backwards; write the smaller frame first")]
    Reversed(String),
    /// A step below 1.
    #[error("the step of '{0}' must be 1 or more")]
    Step(String),
    /// Beyond Blender's frame numbers.
    #[error("frame '{0}' is too large; frames go from -{MAX_FRAME} to {MAX_FRAME}")]
    TooLarge(String),
    /// More than a job may have.
    #[error("that is more than {MAX_FRAMES} frames; split it into several jobs")]
    TooMany,
}

/// The frames of a list, each once (the first mention counts), in the order written. `1,24,1-24` renders the ends first.
pub fn parse(text: &str) -> Result<Vec<i32>, FramesError> {
    if text.trim().is_empty() {
        return Err(FramesError::Empty);
    }
    if text.len() > MAX_BYTES {
        return Err(FramesError::TooMany);
    }
    let mut frames = Vec::new();
    let mut seen = HashSet::new();
    let mut mentions = 0;
    for part in text.split(',') {
        let (first, last, step) = range(part.trim())?;
        let mut frame = first;
        while frame <= last {
            mentions += 1;
            if mentions > MAX_MENTIONS {
                return Err(FramesError::TooMany);
            }
            if seen.insert(frame) {
                if frames.len() == MAX_FRAMES {
                    return Err(FramesError::TooMany);
                }
                frames.push(frame);
            }
            match frame.checked_add(step) {
                Some(next) => frame = next,
                None => break,
            }
        }
    }
    Ok(frames)
}

fn shown(part: &str) -> String {
    part.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// First, last and step of one part.
fn range(part: &str) -> Result<(i32, i32, i32), FramesError> {
    let garbage = || FramesError::Garbage(shown(part));
    let (span, step) = match part.split_once(':') {
        None => (part, 1),
        Some((span, step)) => match number(step.trim()).map_err(|_| garbage())? {
            step if step < 1 => return Err(FramesError::Step(shown(part))),
            step => (span, step),
        },
    };
    let ends = match span.split_once("..") {
        Some(ends) => Some(ends),
        // A minus that is not the sign of the first number parts the two.
        None => {
            span.char_indices().skip(1).find(|(_, c)| *c == '-').map(|(at, _)| (&span[..at], &span[at + 1..]))
        }
    };
    let Some((first, last)) = ends else {
        if step != 1 || span.len() != part.len() {
            return Err(garbage());
        }
        return number(span).map(|frame| (frame, frame, 1));
    };
    let (first, last) = (number(first.trim())?, number(last.trim())?);
    if first > last {
        return Err(FramesError::Reversed(shown(part)));
    }
    Ok((first, last, step))
}

fn number(text: &str) -> Result<i32, FramesError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(FramesError::Garbage(shown(text)));
    }
    let value: i32 = text.parse().map_err(|_| FramesError::TooLarge(shown(text)))?;
    if value.abs() > MAX_FRAME {
        return Err(FramesError::TooLarge(shown(text)));
    }
    Ok(value)
}

/// The shortest simple text that [`parse`] reads back as the same frames in the same order.
pub fn format(frames: &[i32]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = frames;
    while let [first, ..] = rest {
        let run = run_length(rest);
        let last = rest[run - 1];
        let step = if run > 1 { rest[1] - rest[0] } else { 1 };
        parts.push(match (run, step) {
            (1, _) => first.to_string(),
            (_, 1) => format!("{first}-{last}"),
            _ => format!("{first}-{last}:{step}"),
        });
        rest = &rest[run..];
    }
    parts.join(",")
}

/// How many frames from the start form one ascending range; two of a step above 1 do not make one.
fn run_length(frames: &[i32]) -> usize {
    let step = match frames {
        [a, b, ..] => b.saturating_sub(*a),
        _ => return frames.len(),
    };
    if step < 1 {
        return 1;
    }
    let run = 1 + frames.windows(2).take_while(|pair| pair[1].saturating_sub(pair[0]) == step).count();
    if step > 1 && run < 3 { 1 } else { run }
}

#[cfg(test)]
#[path = "tests/frames.rs"]
mod tests;
