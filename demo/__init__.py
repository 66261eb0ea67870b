"""Head poses drawn: photo, folder, video, webcam."""
